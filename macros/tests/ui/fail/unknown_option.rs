use larder::prelude::*;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/wine", modell)]
struct Misspelt;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/beer", model = true)]
struct WithValue;

#[derive(Serialize, Deserialize, Component)]
#[component = "ui/cider"]
struct NoList;

fn main() {}
