use std::collections::BTreeMap;
use std::error::Error;

use larder::prelude::*;
use larder::{BoxError, triggers};
use larder::jobs::JobContext;

type MyResult<T = ()> = Result<T, BoxError>;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/all")]
struct All {
    d: Option<String>,
    list: Vec<u8>,
    map: BTreeMap<String, u8>,
    text: String,
    bytes: Artifact<Vec<u8>>,
}

#[triggers]
impl All {
    /// Not a trigger.
    fn plain(&self) -> usize {
        self.text.len()
    }

    #[trigger(apply)]
    fn start(&self, job: &JobContext) -> Result<(), Box<dyn Error + Send + Sync>> {
        job.log(format!("{}", self.plain()));
        Ok(())
    }

    #[trigger(apply, remove, depends_on = "start", requires = ["d", "list", "map", "text", "bytes"])]
    #[allow(dead_code)]
    fn go(&self, _: &JobContext) -> larder::Result<()> {
        Ok(())
    }

    #[trigger(cron("*/5 3 * * 1-5"), event("retrain"), outputs)]
    #[trigger(retries = 3, timeout = "500ms")]
    pub fn r#match(&self, _job: &JobContext) -> MyResult<Vec<u32>> {
        Ok(vec![1])
    }

    #[trigger(event("retrain"), depends_on = ["match"])]
    fn text_as_error(&self, job: &larder::jobs::JobContext) -> Result<(), String> {
        if job.output::<Vec<u32>>("match").is_err() { Err("none".into()) } else { Ok(()) }
    }
}

mod elsewhere {
    pub(crate) use larder as shelf;
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/other", crate = crate::elsewhere::shelf)]
enum Other {
    One,
}

#[triggers(crate = crate::elsewhere::shelf)]
impl Other {
    #[trigger(apply)]
    fn start(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }
}

fn main() {
    let larder = larder::open("memory:").unwrap();
    let table = larder.registry().triggers_of("ui/all").unwrap();
    let names: Vec<_> = table.entries().iter().map(|entry| entry.name()).collect();
    assert_eq!(names, ["start", "go", "match", "text_as_error"]);
    let all = All {
        d: None,
        list: vec![1],
        map: BTreeMap::new(),
        text: "x".into(),
        bytes: vec![].into(),
    };
    let go = table.find("go").unwrap();
    assert_eq!(go.requires().collect::<Vec<_>>(), ["d", "list", "map", "text", "bytes"]);
    assert_eq!(go.unmet(&all), Some("d"));
    assert_eq!(go.unmet(&All { d: Some("x".into()), ..all }), Some("map"));
    assert!(larder.registry().triggers_of("ui/other").is_some());
}
