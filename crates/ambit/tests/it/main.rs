//! The binary as its users have it: real processes, on free ports of this machine, killed when a test is over.

mod backup;
mod browser;
mod canary;
mod clients;
mod commands;
mod demo;
mod disconnect;
mod doctor;
mod doctor_client;
mod doctor_elsewhere;
mod explain;
mod faults;
mod first_start;
mod kb;
mod kill;
mod log_injection;
mod login;
mod mcp;
mod nodes;
mod proxies;
mod readme;
mod support;
