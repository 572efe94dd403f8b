#![no_main]

use ferromq_transport::Endpoint;

// What parses is shown in a form that parses back to the same endpoint.
libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(endpoint) = text.parse::<Endpoint>() {
        let shown = endpoint.to_string();
        assert_eq!(shown.parse::<Endpoint>().as_ref(), Ok(&endpoint), "{shown}");
    }
});
