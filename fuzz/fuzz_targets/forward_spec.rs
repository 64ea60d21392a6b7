//! libFuzzer's way into `adit_fuzz::forward_spec`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit_fuzz::forward_spec(bytes));
