use larder::prelude::*;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/zero", version = 0)]
struct Zero {}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/forward", version = 2, migrate_from(2 = "forward"))]
struct Forward {}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/twice", version = 3, migrate_from(1 = "one", 1 = "other"))]
struct Twice {}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/itself", alias = "test/itself")]
struct Itself {}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/wrong", version = 2, migrate_from(1 = "wrong"))]
struct Wrong {}

fn wrong(old: f64) -> f64 {
    old
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/missing", version = 2, migrate_from(1 = "nowhere"))]
struct Missing {}

fn main() {}
