//! libFuzzer's way into `adit_fuzz::identification`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit_fuzz::identification(bytes));
