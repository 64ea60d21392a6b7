//! libFuzzer's way into `adit_fuzz::open_packet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit_fuzz::open_packet(bytes));
