//! libFuzzer's way into `adit_fuzz::transport_bytes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit_fuzz::transport_bytes(bytes));
