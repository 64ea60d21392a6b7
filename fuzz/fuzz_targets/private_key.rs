//! libFuzzer's way into `adit_fuzz::private_key`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit_fuzz::private_key(bytes));
