//! libFuzzer's way into `adit_fuzz::patterns`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit_fuzz::patterns(bytes));
