//! libFuzzer's way into `adit_fuzz::sshd_config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit_fuzz::sshd_config(bytes));
