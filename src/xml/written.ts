/** A serialised element, stored and sent as XML without a tree: a small request must not cost a large tree. */
import { attributesIn, childXml } from './element.ts'
import type { Element } from './element.ts'
import type { Child, Frame } from './frame.ts'
import { parseStored, storedFrameOf } from './stored.ts'

/** Well-formed XML with all namespace declarations that it needs. */
export class Written {
  /** The local name. */
  readonly name: string
  readonly ns: string
  readonly xml: string

  private constructor (name: string, ns: string, xml: string) {
    this.name = name
    this.ns = ns
    this.xml = xml
  }

  /** One child of a frame, as it was received. */
  static child (frame: Pick<Frame, 'inner' | 'ns' | 'attributes'>, child: Child): Written {
    return new Written(child.name, child.ns, childXml(frame, child))
  }

  /** A stored element: the `xml` of one with that name and namespace. */
  static kept (name: string, ns: string, xml: string): Written {
    return new Written(name, ns, xml)
  }

  /** `wrapper`, an empty element, around others, or around XML in its default namespace. */
  static around (wrapper: Element, ...content: readonly (Written | string)[]): Written {
    const inner = content.map(part => typeof part === 'string' ? part : part.xml).join('')
    const opening = wrapper.toString()
    const xml = inner === '' ? opening : `${opening.slice(0, -'/>'.length)}>${inner}</${wrapper.name}>`
    return new Written(wrapper.getName(), wrapper.getNS() ?? '', xml)
  }

  static of (element: Element): Written {
    return new Written(element.getName(), element.getNS() ?? '', element.toString())
  }

  /** Its attributes, with its declarations. */
  get attrs (): Element['attrs'] {
    return attributesIn(this.xml)
  }

  /** As a tree. */
  toElement (): Element {
    return parseStored(this.xml)
  }

  /** The child elements; undefined where there are more than `most`. */
  children (most: number): readonly Written[] | undefined {
    const frame = storedFrameOf(most, this.xml)
    return frame?.children.map(child => Written.child(frame, child))
  }
}
