//! libFuzzer's way into `adit_fuzz::dynamic_request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit_fuzz::dynamic_request(bytes));
