//! Any legal message passes unaltered in both directions, however it is cut into pieces.

mod driver;
mod generate;
mod message;

use super::harness::run;
use driver::Case;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 4096,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_legal_exchange_passes_byte_for_byte(case in Case::any()) {
        run(case.check())?;
    }
}
