//! Under systemd: sockets that it holds, what it is told, and the units.

#[cfg(test)]
mod activation;
#[cfg(test)]
mod manager;
#[cfg(test)]
mod notify;
#[cfg(test)]
mod support;
#[cfg(test)]
mod units;
