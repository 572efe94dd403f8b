#![no_main]

#[path = "../../tests/tests/fuzzed/raw.rs"]
mod raw;
#[path = "../../tests/tests/fuzzed/socket.rs"]
mod socket;

libfuzzer_sys::fuzz_target!(|data: &[u8]| socket::fuzz_socket(data));
