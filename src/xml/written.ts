/**
 * An element as XML. What is kept is kept so, and sent as it is kept: without a tree, whose cost would be that of what
 * somebody has stored, and not that of the request.
 */
import { childXml } from './element.ts'
import type { Element } from './element.ts'
import type { Child, Frame } from './frame.ts'
import { storedFrameOf } from './stored.ts'

/** It stands on its own: it declares what namespaces it needs. Whatever makes one has checked or escaped what is in it. */
export class Written {
  /** Without a prefix. */
  readonly name: string
  readonly ns: string
  readonly xml: string

  private constructor (name: string, ns: string, xml: string) {
    this.name = name
    this.ns = ns
    this.xml = xml
  }

  /** One child of a frame, as it came. */
  static child (frame: Pick<Frame, 'inner' | 'ns' | 'attributes'>, child: Child): Written {
    return new Written(child.name, child.ns, childXml(frame, child))
  }

  /** What was kept: the `xml` of one with that name and namespace. */
  static kept (name: string, ns: string, xml: string): Written {
    return new Written(name, ns, xml)
  }

  /** `wrapper`, which has no content, around others, or around XML that was written in its default namespace. */
  static around (wrapper: Element, ...content: readonly (Written | string)[]): Written {
    const inner = content.map(part => typeof part === 'string' ? part : part.xml).join('')
    const opening = wrapper.toString()
    const xml = inner === '' ? opening : `${opening.slice(0, -'/>'.length)}>${inner}</${wrapper.name}>`
    return new Written(wrapper.getName(), wrapper.getNS() ?? '', xml)
  }

  /** The child elements, each as it stands on its own; nothing where there are more than so many. */
  children (most: number): readonly Written[] | undefined {
    const frame = storedFrameOf(most, this.xml)
    return frame?.children.map(child => Written.child(frame, child))
  }
}
