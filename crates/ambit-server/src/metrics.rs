//! (temporary)
use ambit_core::governance::decision::Decision;
use ambit_core::refusal::Refusal;
#[derive(Debug, Default)]
pub struct Metrics;
impl Metrics {
    pub fn refused(&self, _client: Option<&str>, _refusal: &Refusal) {}
    pub fn issued(&self, _client: &str, _decision: &Decision) {}
    pub fn invariant_violated(&self) {}
}
