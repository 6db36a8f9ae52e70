/** Waiting for what a test is about, among all else that comes to a client. */
import type { XmlElement } from '../../conformance/runner/xml.ts'

/** The first element that is so; those before it are let go. */
export async function until (
  next: () => Promise<XmlElement>, isIt: (element: XmlElement) => boolean,
): Promise<XmlElement> {
  for (;;) {
    const element = await next()
    if (isIt(element)) return element
  }
}
