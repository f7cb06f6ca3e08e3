pub mod authorization;
pub mod client;
pub mod error;
pub mod params;
pub mod problem;
pub mod resource;
pub mod token;
pub mod trace;
mod uri;
