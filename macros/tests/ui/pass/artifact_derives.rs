use larder::prelude::*;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Component)]
#[component(tag = "ui/artifact-derives")]
struct Words {
    words: Artifact<Vec<String>>,
    more: Option<Artifact<u8>>,
}

fn main() -> larder::Result<()> {
    let larder = larder::open("memory:")?;
    let words = || Words { words: vec!["a".to_owned()].into(), more: Some(7.into()) };
    larder.apply("words", &words())?;
    larder.apply("empty", &Words::default())?;

    let loaded: Words = larder.load("words")?;
    assert_eq!(loaded, larder.load("words")?); // by their bytes
    assert!(!loaded.words.is_decoded());
    assert_eq!(loaded, words()); // by their values
    assert_eq!(format!("{:?}", loaded.more), "Some(Artifact(7))");
    assert_ne!(loaded, larder.load("empty")?);
    assert_eq!(larder.load::<Words>("empty")?, Words::default());

    let mut changed = loaded.clone();
    changed.words.get_mut()?.push("b".to_owned());
    assert_ne!(changed, loaded);
    changed.words.get_mut()?.pop();
    assert_eq!(changed, loaded);
    Ok(())
}
