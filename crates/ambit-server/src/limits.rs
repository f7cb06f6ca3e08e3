//! (temporary)
use std::net::IpAddr;
use std::time::Duration;
#[derive(Debug, Default)]
pub struct Failures;
impl Failures {
    pub fn check(&self, _client: &str, _address: IpAddr) -> Result<(), Duration> {
        Ok(())
    }
    pub fn record(&self, _client: &str, _address: IpAddr) {}
}
