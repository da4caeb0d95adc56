//! The scenarios of the example shop.

use crate::{all_pass, file};

#[test]
fn the_scenarios_of_the_shop_pass() {
    all_pass(&file("guest-examples/shop/shop.test.yaml"));
}
