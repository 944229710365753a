use larder::prelude::*;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "")]
struct Empty;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "Acme/Wine")]
struct UpperCase;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "acme//wine")]
struct Doubled;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "acme/../wine")]
struct Dots;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "acme/wine\n")]
struct NewLine;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = 7)]
struct Number;

#[derive(Serialize, Deserialize, Component)]
#[component(tag)]
struct NoText;

fn main() {}
