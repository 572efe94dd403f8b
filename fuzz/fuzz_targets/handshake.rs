#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ferromq_wire::fuzzing::fuzz_handshake(data));
