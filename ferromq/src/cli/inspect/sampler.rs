//! Reports of one process, each with the rates since the one before.

use ferromq::Endpoint;
use ferromq::status::{Client, Report, StatusError};

pub(super) struct Sampler {
    endpoint: Endpoint,
    client: Client,
    last: Report,
}

impl Sampler {
    /// Connects, and takes the report that the first rates start from.
    pub(super) fn new(endpoint: Endpoint) -> Result<Self, StatusError> {
        let mut client = Client::connect(&endpoint)?;
        let last = client.report()?;
        Ok(Self {
            endpoint,
            client,
            last,
        })
    }

    /// The report that the first rates start from.
    pub(super) fn first(&self) -> &Report {
        &self.last
    }

    /// The process as it is now.
    pub(super) fn next(&mut self) -> Result<Report, StatusError> {
        let mut report = match self.client.report() {
            // Others may have taken our place at the endpoint.
            Err(ended @ StatusError::Ended { .. }) => {
                self.client = Client::connect(&self.endpoint).map_err(|_| ended)?;
                self.client.report()?
            }
            report => report?,
        };
        let plain = report.clone();
        report.set_rates(&self.last);
        self.last = plain;
        Ok(report)
    }
}
