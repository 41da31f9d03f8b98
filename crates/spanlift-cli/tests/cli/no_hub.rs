//! A program without the hub.

use crate::desk::{Desk, QUESTION};

#[test]
fn a_name_on_the_hub_is_refused_with_the_feature_that_is_missing() {
    let desk = Desk::new();
    let ask = [
        "explain",
        QUESTION,
        "--passage",
        "tower.txt",
        "--model",
        "org/tower",
    ];
    desk.refuses(&ask, &["there is no folder `org/tower`", "feature `hub`"]);
}
