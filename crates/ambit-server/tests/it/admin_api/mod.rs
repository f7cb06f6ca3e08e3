//! The admin API, filed by what it is asked.

mod applications;
mod audit;
mod bodies;
mod credentials;
mod explain;
mod features;
mod groups;
mod lifecycles;
mod limits;
mod lists;
mod people;
mod power;
mod reach;
mod repeats;
mod secrets;
mod users;
