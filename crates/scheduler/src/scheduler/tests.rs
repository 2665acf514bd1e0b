//! Scripts and a simulation: no clock, no process, real gates.

use super::*;
use crate::{Admit, Demand, Generation, Refusal, Status};

mod abandoned;
mod fairness;
mod going;
mod lab;
mod loading;
mod pins;
mod room;
mod simulation;
mod trial;

use lab::{Lab, mib, secs};
