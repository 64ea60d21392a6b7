//! libFuzzer's way into `adit_fuzz::revoked_keys`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit_fuzz::revoked_keys(bytes));
