#![no_main]

use ambit_fuzz::server;

libfuzzer_sys::fuzz_target!(|input: &[u8]| server::configuration(input));
