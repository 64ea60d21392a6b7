//! libFuzzer's way into `adit_fuzz::wire_messages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit_fuzz::wire_messages(bytes));
