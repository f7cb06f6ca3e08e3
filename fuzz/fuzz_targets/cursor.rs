#![no_main]

use ambit_fuzz::rules;

libfuzzer_sys::fuzz_target!(|input: &[u8]| rules::cursor(input));
