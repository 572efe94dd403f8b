use proptest::prelude::*;

use super::*;
use crate::error::EndpointCause as Bad;

fn cause(text: &str) -> Bad {
    text.parse::<Endpoint>().unwrap_err().cause()
}
