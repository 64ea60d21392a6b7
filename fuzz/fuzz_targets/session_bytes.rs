//! libFuzzer's way into `adit_fuzz::session_bytes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit_fuzz::session_bytes(bytes));
