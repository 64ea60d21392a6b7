//! libFuzzer's way into `adit_fuzz::known_hosts_line`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| adit_fuzz::known_hosts_line(bytes));
