//! The admin API, filed by what it is asked.

mod applications;
mod audit;
mod bodies;
mod explain;
mod features;
mod lifecycles;
mod limits;
mod lists;
mod power;
mod reach;
mod repeats;
mod secrets;
