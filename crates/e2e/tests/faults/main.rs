//! Every fault at every moment: what the client sees, what follows, what is left.

#![cfg(test)]
mod fast;
mod fault;
mod matrix;
mod moment;
mod random;
mod scene;
mod seen;
mod table;
