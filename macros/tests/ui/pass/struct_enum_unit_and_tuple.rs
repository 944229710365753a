use larder::prelude::*;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/struct")]
struct Fields {
    a: u8,
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/enum")]
enum Either {
    Left(u8),
    Right { b: u8 },
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/unit")]
struct Unit;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/tuple")]
struct Tuple(u8, String);

fn main() {
    let components: [&dyn Component; 5] =
        [&Fields { a: 1 }, &Either::Left(1), &Either::Right { b: 1 }, &Unit, &Tuple(1, "a".into())];
    let tags = components.map(|component| component.type_tag());
    assert_eq!(tags, ["ui/struct", "ui/enum", "ui/enum", "ui/unit", "ui/tuple"]);
}
