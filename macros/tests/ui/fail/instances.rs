use larder::prelude::*;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/both", instances(Both<u8> = "ui/both-u8"))]
struct Both<T>(T);

#[derive(Serialize, Deserialize, Component)]
#[component(instances(Plain = "ui/plain"))]
struct Plain(u8);

#[derive(Serialize, Deserialize, Component)]
#[component(instances(Other<u8> = "ui/other-u8"))]
struct Mine<T>(T);

#[derive(Serialize, Deserialize, Component)]
#[component(instances(Twice<u8> = "ui/twice", Twice<u16> = "ui/twice"))]
struct Twice<T>(T);

#[derive(Serialize, Deserialize, Component)]
#[component(instances(Upper<u8> = "ui/Upper"))]
struct Upper<T>(T);

#[derive(Serialize, Deserialize, Component)]
#[component(instances(Aliased<u8> = "ui/a", Aliased<u16> = "ui/b"), alias = "ui/old")]
struct Aliased<T>(T);

#[derive(Serialize, Deserialize, Component)]
#[component(instances(Untagged<u8>))]
struct Untagged<T>(T);

#[derive(Serialize, Deserialize, Component)]
#[component(instances())]
struct None<T>(T);

fn main() {}
