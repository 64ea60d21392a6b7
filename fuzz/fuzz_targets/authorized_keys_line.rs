//! libFuzzer's way into `adit_fuzz::authorized_keys_line`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit_fuzz::authorized_keys_line(bytes));
