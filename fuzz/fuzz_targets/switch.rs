#![no_main]

#[path = "../../wire/tests/fuzzing/mod.rs"]
mod fuzzing;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzing::fuzz_switch(data));
