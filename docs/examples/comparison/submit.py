"""200 calls with their progress and results, one for later, and one that is cancelled."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import gear
from jobs import fetch, sweep, thumb


async def main() -> None:
    """Do all of it."""
    async with gear.AsyncClient("thumbs") as client:
        client.add_server("localhost")
        await client.wait_for_server(timeout=10)

        start = time.monotonic()
        urgent = fetch.using(precedence=gear.PRECEDENCE_HIGH)
        calls = [client.call(thumb, n, 97) for n in range(100)]
        calls += [client.call(urgent, f"http://x/{n}") for n in range(100)]
        results = []
        for done in asyncio.as_completed(calls):
            results.append(await done)
            print(f"\r{len(results)}/{len(calls)}", end="", flush=True)
        print(f"\n{len(results)} results in {time.monotonic() - start:.1f} s")

        later = sweep.using(background=True, when=datetime.now(UTC) + timedelta(seconds=2))
        await client.start(later)
        victim = await client.start(later.using(when=datetime.now(UTC) + timedelta(hours=1)))
        print("cancelled", await victim.cancel())


asyncio.run(main())
