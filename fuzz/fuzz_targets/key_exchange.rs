//! libFuzzer's way into `adit_fuzz::key_exchange`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit_fuzz::key_exchange(bytes));
