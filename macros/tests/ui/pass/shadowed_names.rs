//! Generated names do not clash with the user's.
#![allow(non_camel_case_types)]

use larder::prelude::*;

mod core {}
mod std {}
mod typetag {}
struct Option;
struct Item;

#[derive(Serialize, Deserialize, Component)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[component(tag = "ui/type")]
struct r#type {
    r#fn: u8,
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/some", model)]
struct Some;

impl Predict for Some {
    type Input = ();
    type Output = ();

    fn predict(&self, (): ()) -> larder::Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = (Option, Item);
    let component: &dyn Component = &r#type { r#fn: 1 };
    assert_eq!(component.type_tag(), "ui/type");
}
