use larder::prelude::*;
use larder::triggers;
use larder::jobs::JobContext;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "ui/it")]
struct It {}

#[triggers]
impl It {
    #[trigger(apply)]
    fn stateless(_: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(apply)]
    fn changes(&mut self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(apply)]
    fn alone(&self) -> Result<(), String> {
        Ok(())
    }

    #[trigger(apply)]
    fn more(&self, _: &JobContext, _: u32) -> Result<(), String> {
        Ok(())
    }

    #[trigger(apply)]
    fn by_value(&self, _: JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(apply)]
    fn silent(&self, _: &JobContext) {}

    #[trigger(apply)]
    fn number(&self, _: &JobContext) -> u32 {
        1
    }

    #[trigger(apply)]
    async fn waits(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }

    #[trigger(apply)]
    fn of<T>(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }
}

#[triggers]
impl It {
    fn none(&self) {}
}

#[triggers(force)]
impl It {
    #[trigger(apply)]
    fn it(&self, _: &JobContext) -> Result<(), String> {
        Ok(())
    }
}

#[triggers]
impl Clone for It {
    fn clone(&self) -> Self {
        It {}
    }
}

#[triggers]
struct NoBlock;

fn main() {}
