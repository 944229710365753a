use larder::prelude::*;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/type-parameter")]
struct TypeParameter<T> {
    inner: T,
}

#[derive(Serialize, Component)]
#[component(tag = "ui/lifetime")]
struct Lifetime<'a> {
    inner: &'a str,
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/constant")]
struct Constant<const N: usize>;

fn main() {}
