#![no_main]

use ambit_fuzz::knowledge;

libfuzzer_sys::fuzz_target!(|input: &[u8]| knowledge::entry(input));
