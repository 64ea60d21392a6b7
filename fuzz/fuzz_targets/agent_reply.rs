//! libFuzzer's way into `adit_fuzz::agent_reply`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit_fuzz::agent_reply(bytes));
