#![no_main]

use ambit_fuzz::protocol;

libfuzzer_sys::fuzz_target!(|input: &[u8]| protocol::explain_question(input));
