struct Foreign;

fn main() -> larder::Result<()> {
    let larder = larder::open("memory:")?;
    larder.apply("foreign", &Foreign)?;
    Ok(())
}
