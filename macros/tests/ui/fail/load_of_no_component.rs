struct Foreign;

fn main() -> larder::Result<()> {
    let larder = larder::open("memory:")?;
    let _: Foreign = larder.load("foreign")?;
    Ok(())
}
